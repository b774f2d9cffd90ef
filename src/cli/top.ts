/** `griot top`: looks at a cluster every second; a screen on a terminal, plain text or JSON lines elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaClient } from '../kafka-client/client.ts'
import { readEndpoints } from '../server/endpoints.ts'
import { formatHostPort } from '../server/units.ts'
import { countOf, type Properties } from './client-properties.ts'
import { bootstrapOf, type ClusterOptions, runOnCluster, spanOf } from './cluster.ts'
import {
  DEFAULT_DATA_DIR,
  DEFAULT_URL,
  EngineAddressError,
  type EngineTarget,
  EngineUnreachableError,
  engineAddress,
} from './engine-url.ts'
import { explainFailure, UsageError } from './failure.ts'
import { type Look, type LookOptions, lookAt, type Rates, ratesOf } from './top-sample.ts'
import { renderRates, SORTS, type Sort } from './top-screen.ts'
import { nameFilter } from './topic-names.ts'

export interface TopOptions extends ClusterOptions {
  readonly interval?: string
  readonly num?: string
  readonly once?: boolean
  readonly regex?: string
  readonly url?: string
  readonly dataDir?: string
}

export async function runTop(options: TopOptions): Promise<void> {
  const isStream = options.once !== true
  await runOnCluster(
    options,
    async ({ client, json, properties }) => {
      const intervalMs = options.interval === undefined ? 1_000 : spanOf('-i', options.interval)
      if (intervalMs < 100) throw new UsageError('-i: wants 100ms or more')
      const num =
        options.num === undefined ? Number.POSITIVE_INFINITY : countOf('-n', options.num, 1)
      const looks = options.once ? 1 : num
      const lookOptions: LookOptions = {
        filter: options.regex === undefined ? null : nameFilter(options.regex),
        engine: engineOf(options, properties),
      }
      const { host, port } = bootstrapOf(options, properties)[0]!
      const isLive = process.stdout.isTTY === true && !json && looks === Number.POSITIVE_INFINITY
      const display = isLive ? new Screen() : new Plain(json)
      try {
        await watch(client, lookOptions, { looks, intervalMs, title: `${host}:${port}`, display })
      } finally {
        display.end()
      }
    },
    isStream,
  )
}

/** An engine's numbers go with its own cluster alone: what is named, the one of `./griot-data` if it is this cluster's, the default's. */
function engineOf(options: TopOptions, properties: Properties): EngineTarget | null {
  const { url, dataDir } = options
  const isNamed = [url, dataDir].some((given) => given !== undefined)
  if (isNamed || process.env.GRIOT_URL || process.env.GRIOT_DATA_DIR) {
    refuseBadAddress({ url, dataDir })
    return { url, dataDir }
  }
  const here = readEndpoints(DEFAULT_DATA_DIR)
  const bootstrap = bootstrapOf(options, properties).map(formatHostPort)
  if (here?.kafka.some((address) => bootstrap.includes(address))) return {}
  const isDefault =
    [options.brokers, options.bootstrap, options.bootstrapServer, properties.brokers].every(
      (given) => given === undefined,
    ) && !process.env.GRIOT_BOOTSTRAP
  return isDefault ? { url: DEFAULT_URL, isAssumed: true } : null
}

function refuseBadAddress(engine: EngineTarget): void {
  try {
    engineAddress(engine)
  } catch (error) {
    if (error instanceof EngineAddressError) throw new UsageError(error.message)
    // an engine that is not there is told with the rest
    if (!(error instanceof EngineUnreachableError)) throw error
  }
}

interface Display {
  /** Resolves when somebody wants to end. */
  readonly ended: Promise<void>
  show(rates: Rates, title: string): void
  trouble(message: string): void
  end(): void
}

async function watch(
  client: KafkaClient,
  options: LookOptions,
  run: { looks: number; intervalMs: number; title: string; display: Display },
): Promise<void> {
  const { display, title, intervalMs } = run
  let isEnded = false
  const ended = display.ended.then(() => {
    isEnded = true
  })
  // a cluster that is not there from the start is a failure, one that goes is trouble
  let before: Look = await lookAt(client, options)
  for (let shown = 0; shown < run.looks && !isEnded; ) {
    const timer = new AbortController()
    const pause = sleep(intervalMs, undefined, { signal: timer.signal }).catch(() => {})
    await Promise.race([pause, ended])
    timer.abort()
    if (isEnded) return
    try {
      const after = await lookAt(client, options)
      display.show(ratesOf(before, after), title)
      before = after
      shown++
    } catch (error) {
      if (run.looks !== Number.POSITIVE_INFINITY) throw error
      display.trouble(explainFailure(error))
    }
  }
}

/** One block of text, or one line of JSON, each time. */
class Plain implements Display {
  readonly #json: boolean
  /** A blank line between blocks. */
  #separator = ''
  readonly #onSignal: () => void
  readonly ended: Promise<void>

  constructor(json: boolean) {
    this.#json = json
    let end = () => {}
    this.ended = new Promise((resolve) => {
      end = resolve
    })
    this.#onSignal = end
    process.once('SIGINT', end)
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      end()
    })
  }

  show(rates: Rates, title: string): void {
    const infinite = Number.POSITIVE_INFINITY
    const text = this.#json
      ? JSON.stringify({ time: new Date().toISOString(), ...rates })
      : `${this.#separator}${renderRates(rates, { title, sort: 'rate', rows: infinite, columns: infinite })}`
    process.stdout.write(`${text}\n`)
    this.#separator = '\n'
  }

  trouble(message: string): void {
    console.error(`griot: ${message}`)
  }

  end(): void {
    process.removeListener('SIGINT', this.#onSignal)
  }
}

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const CLEAR = '\x1b[H\x1b[J'

/** The whole terminal, given back at the end. */
class Screen implements Display {
  readonly ended: Promise<void>
  #sort: Sort = 'rate'
  #last: { rates: Rates; title: string } | null = null
  #isOpen = true
  readonly #onKey: (key: Buffer) => void
  readonly #onResize = () => this.#draw()

  constructor() {
    let end = () => {}
    this.ended = new Promise((resolve) => {
      end = resolve
    })
    this.#onKey = (key) => {
      const text = key.toString()
      // raw mode: Ctrl-C comes as a key
      if (['q', 'Q', '\x03', '\x04', '\x1b'].includes(text)) end()
      if (text === 's') {
        this.#sort = SORTS[(SORTS.indexOf(this.#sort) + 1) % SORTS.length]!
        this.#draw()
      }
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end)
    if (process.stdin.isTTY) process.stdin.setRawMode(true)
    process.stdin.on('data', this.#onKey).resume()
    process.stdout.on('resize', this.#onResize)
    process.stdout.write(`${ENTER}${CLEAR}looking …`)
  }

  show(rates: Rates, title: string): void {
    this.#last = { rates, title }
    this.#draw()
  }

  trouble(message: string): void {
    this.#draw()
    process.stdout.write(`\r\n${message}\r\n`)
  }

  end(): void {
    this.#isOpen = false
    process.stdin.off('data', this.#onKey).pause()
    if (process.stdin.isTTY) process.stdin.setRawMode(false)
    process.stdout.off('resize', this.#onResize)
    process.stdout.write(LEAVE)
  }

  #draw(): void {
    if (this.#last === null || !this.#isOpen) return
    const { rates, title } = this.#last
    const time = new Date().toTimeString().slice(0, 8)
    const text = renderRates(rates, {
      title: `griot top  ${title}  ${time}`,
      sort: this.#sort,
      // the last line is that of the keys
      rows: (process.stdout.rows ?? 24) - 2,
      columns: process.stdout.columns ?? 80,
    })
    const keys = `q quits, s sorts topics (by ${this.#sort})`
    process.stdout.write(`${CLEAR}${text.replaceAll('\n', '\r\n')}\r\n\r\n${keys}`)
  }
}
