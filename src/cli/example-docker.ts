/** `griot example docker` and `griot example compose`. */
import type { ExampleContext } from './example-context.ts'

const IMAGE = 'node:24-trixie-slim'
const DATA_DIR = '/var/lib/griot'
const LAUNCHER = '/opt/griot/node_modules/griot/dist/griot.cjs'

/** As the compose file's Prometheus is configured. */
const PROMETHEUS = `global:
  scrape_interval: 15s
scrape_configs:
  - job_name: griot
    authorization:
      credentials_file: /run/secrets/griot-token
    static_configs:
      - targets: ['griot:8082']
`

const VOLUMES = `volumes:
  griot-data:
  prometheus-data:
`

export const dockerfile = ({
  version,
}: ExampleContext): string => `# Dockerfile, printed by griot ${version}.
#
#   npm pack                                   # in griot's source: makes griot-${version}.tgz; put it beside this file
#   docker build --tag griot:${version} .
#   docker run --rm --env GRIOT_KAFKA_ANONYMOUS=on --publish 127.0.0.1:19092-19094:19092-19094 \\
#     --volume griot:${DATA_DIR} griot:${version}
#   kcat -b localhost:19092 -L
#
# A container listens on all its addresses, so nobody gets in unless it is said how. GRIOT_KAFKA_ANONYMOUS=on: whoever reaches the
# ports, without logging in; publish them on loopback alone then, as above.
FROM ${IMAGE} AS install
COPY griot-${version}.tgz /tmp/griot.tgz
RUN npm install --prefix /opt/griot --omit=dev --ignore-scripts --no-audit --no-fund /tmp/griot.tgz
RUN install -d -m 0700 /data

FROM ${IMAGE}
COPY --from=install /opt/griot /opt/griot
COPY --from=install --chown=node:node /data ${DATA_DIR}
ENV NODE_ENV=production
ENV GRIOT_DATA_DIR=${DATA_DIR}
# other containers come in at 9092 and are told this container's address; the host comes in at 19092, told so
ENV GRIOT_KAFKA_LISTEN=0.0.0.0:9092,0.0.0.0:19092=localhost:19092
# /metrics asks for the operator token here; health does not
ENV GRIOT_HTTP_LISTEN=0.0.0.0:8082
EXPOSE 9092-9094 19092-19094 8082
USER node
WORKDIR ${DATA_DIR}
VOLUME ${DATA_DIR}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["node", "${LAUNCHER}", "health"]
# node itself: npm and npx may not pass signals on
ENTRYPOINT ["node", "${LAUNCHER}"]
CMD ["start"]
`

export const composeFile = ({
  version,
}: ExampleContext): string => `# compose.yaml, printed by griot ${version}: Griot, kafka-ui and Prometheus. Needs Docker Compose 2.23.1 or later.
#
#   griot example docker > Dockerfile          # its comments say what else it needs
#   openssl rand -hex 32 > griot-token && chmod 644 griot-token
#   docker compose up --build --wait
#
# Kafka clients on this machine: localhost:19092. kafka-ui: http://localhost:8080. Prometheus: http://localhost:9090.
# The token is readable for the users of both containers; keep this folder to yourself (chmod 700 .).
services:
  griot:
    build: .
    image: griot:${version}
    environment:
      # inside, clients are told the service's name; outside, where its ports are published
      GRIOT_KAFKA_LISTEN: 0.0.0.0:9092=griot:9092,0.0.0.0:19092=localhost:19092
      # whoever reaches the ports gets in without logging in: the containers of this file, and this machine
      GRIOT_KAFKA_ANONYMOUS: 'on'
      GRIOT_TOKEN_FILE: /run/secrets/griot-token
    secrets: [griot-token]
    ports:
      - 127.0.0.1:19092-19094:19092-19094
      - 127.0.0.1:8082:8082
    volumes:
      - griot-data:${DATA_DIR}
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    security_opt: ['no-new-privileges:true']
    ulimits: { nofile: 65536 }
    # more than --stop-timeout, which is 8s
    stop_grace_period: 15s
    restart: unless-stopped

  kafka-ui:
    image: ghcr.io/kafbat/kafka-ui:latest
    environment:
      KAFKA_CLUSTERS_0_NAME: griot
      KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS: griot:9092
    ports:
      - 127.0.0.1:8080:8080
    depends_on:
      griot: { condition: service_healthy }
    restart: unless-stopped

  prometheus:
    image: prom/prometheus:latest
    configs:
      - source: prometheus
        target: /etc/prometheus/prometheus.yml
    secrets: [griot-token]
    ports:
      - 127.0.0.1:9090:9090
    volumes:
      - prometheus-data:/prometheus
    depends_on:
      griot: { condition: service_healthy }
    restart: unless-stopped

configs:
  prometheus:
    content: |
${indent(PROMETHEUS, 6)}
secrets:
  griot-token:
    file: ./griot-token

${VOLUMES}`

function indent(text: string, columns: number): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(columns))
}
