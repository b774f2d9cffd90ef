/** `griot example systemd`: a unit for the griot that prints it. */
import type { ExampleContext } from './example-context.ts'

/** A word of ExecStart: quoted, and nothing in it is taken for a specifier or a variable. */
const word = (text: string): string => {
  const plain = text.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /[\s"'\\;]/.test(plain) ? `"${plain.replace(/["\\]/g, '\\$&')}"` : plain
}

export function systemdUnit({ version, node, launcher }: ExampleContext): string {
  const isHome = [node, launcher].some((file) => /^\/(?:home|root|run\/user)\//.test(file))
  const home = isHome
    ? `#
# ${launcher} lies in a home directory, where this service cannot read it. Install griot for all first, as in
#   npm install --global --prefix /usr/local griot-${version}.tgz
# and write its path, and that of a node outside of homes, into ExecStart.
`
    : ''
  return `# /etc/systemd/system/griot.service, printed by griot ${version} on the machine that it is for.
#
#   griot example systemd | sudo tee /etc/systemd/system/griot.service
#   sudo install -D -m 644 /dev/null /etc/griot/griot.yaml     # options by their long names, such as "memory: 1G"
#   sudo systemctl daemon-reload && sudo systemctl enable --now griot
#
# Kafka clients on this machine come in at 127.0.0.1:9092. For others griot.yaml says where ("kafka-listen") and how they
# get in: see "Security" in griot's README.
#
# systemctl reload griot reads griot.yaml again. The operator token is in /var/lib/griot/operator-token.
${home}
[Unit]
Description=Griot (Kafka for many tenants)
Wants=network-online.target
After=network-online.target

[Service]
# node itself: npm and npx may not pass signals on
Type=exec
ExecStart=${word(node)} ${word(launcher)} start --data-dir %S/griot --config %E/griot/griot.yaml
ExecReload=/bin/kill -HUP $MAINPID
# more than --stop-timeout, which is 8s
TimeoutStopSec=15
KillMode=mixed
Restart=on-failure
RestartSec=1
# an option was refused: starting again would not help
RestartPreventExitStatus=2
LimitNOFILE=65536

DynamicUser=yes
StateDirectory=griot
StateDirectoryMode=0700
ConfigurationDirectory=griot
UMask=0077

${HARDENING}
[Install]
WantedBy=multi-user.target
`
}

/** MemoryDenyWriteExecute is not among them: V8 compiles to machine code. ProcSubset would hide how much memory there is. */
const HARDENING = `CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
LockPersonality=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
# what is not there is answered, not killed: node tries calls that old kernels lack as well
SystemCallErrorNumber=EPERM
# not MemoryDenyWriteExecute: V8 compiles to machine code
`
