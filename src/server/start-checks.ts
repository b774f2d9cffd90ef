/** What an engine looks at before its directory is touched: a start that cannot be must fix nothing. Server's thread. */
import type { EngineSettings } from './options.ts'

/** Some part of the engine could not start; everything else has been stopped again. */
export class StartError extends Error {
  override name = 'StartError'
}

/** The Kafka front reads them itself, once there is something to serve. Throws {@link StartError}. */
export async function checkTlsFiles(settings: EngineSettings): Promise<void> {
  if (settings.tlsCert === null) return
  const { loadTls } = await import('./tls-files.ts')
  await orStartError(() => loadTls(settings))
}

/** HTTP has opened its own by now, or soon has (`http`); Kafka's are opened in earnest once there is something to serve. Throws {@link StartError}. */
export async function checkPorts(
  { kafkaListen, brokers: nodes }: EngineSettings,
  http: Promise<unknown> | undefined,
): Promise<void> {
  const { probePorts } = await import('../net/kafka-listener.ts')
  await orStartError(async () => {
    for (const { host, port } of kafkaListen) {
      await probePorts({ optionName: '--kafka-listen', host, port, nodes })
    }
    await http
  })
}

async function orStartError(look: () => unknown): Promise<void> {
  try {
    await look()
  } catch (error) {
    throw new StartError((error as Error).message, { cause: error })
  }
}
