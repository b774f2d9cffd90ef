/**
 * V8's compiled code of our bundles, kept between starts in `dist/code-cache` where Node does not do it itself (before
 * 22.8). Entries install it before they load a bundle, and keep once the start is over, so that what the start called is
 * in it. README.md says why it can neither go stale nor be poisoned. Any thread of `griot`, never a host's.
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import nodeModule, { createRequire } from 'node:module'
import path from 'node:path'
import vm from 'node:vm'

/** After a thread's start: by then it has called what a start calls. */
export const KEEP_AFTER_MS = 2_000
/** Then the main thread makes durable and puts into place what the threads have written. */
const PUBLISH_AFTER_MS = 2_000
const ABANDONED_MS = 60_000

/** The first line of a file, as JSON: all of it must be as we would write it now. */
interface CacheHeader {
  readonly format: 1
  readonly node: string
  readonly sourceBytes: number
  readonly sourceMtimeMs: number
  /** The last line of the bundle: a hash of the rest, written by the build. */
  readonly build: string
  readonly codeBytes: number
}

interface Compiled {
  readonly script: vm.Script
  readonly name: string
  readonly header: Omit<CacheHeader, 'codeBytes'>
}

type CommonJsModule = NodeJS.Module & { readonly filename: string }
type Extensions = Record<string, (module: CommonJsModule, filename: string) => void>

export class CodeCache {
  readonly #directory: string
  readonly #codeDirectory: string
  /** What was compiled here because nothing kept was of use. */
  readonly #fresh: Compiled[] = []

  private constructor(codeDirectory: string) {
    this.#codeDirectory = codeDirectory
    this.#directory = path.join(codeDirectory, 'code-cache')
  }

  /** For bundles beside `entryFile` that are required from now on; null where Node keeps code itself, or is not to. */
  static install(entryFile: string): CodeCache | null {
    const node = nodeModule as unknown as { enableCompileCache?: () => unknown }
    if (node.enableCompileCache !== undefined) {
      node.enableCompileCache()
      return null
    }
    const { NODE_DISABLE_COMPILE_CACHE, NODE_V8_COVERAGE } = process.env
    const isOff = NODE_DISABLE_COMPILE_CACHE !== undefined || NODE_V8_COVERAGE !== undefined
    if (isOff) return null
    const cache = new CodeCache(path.dirname(entryFile))
    const extensions = createRequire(entryFile).extensions as unknown as Extensions
    const byNode = extensions['.cjs'] ?? extensions['.js']!
    extensions['.cjs'] = (module, filename) => {
      if (!cache.#load(module, filename)) byNode(module, filename)
    }
    return cache
  }

  /** How many bundles had to be compiled, as nothing kept was of use, and are not kept yet. */
  get missed(): number {
    return this.#fresh.length
  }

  /** Writes what was compiled on this thread, for {@link publishLater}. Does nothing where it may not write. */
  keep(): void {
    for (const { script, name, header } of this.#fresh.splice(0)) {
      try {
        const code = script.createCachedData()
        const line = `${JSON.stringify({ ...header, codeBytes: code.length })}\n`
        mkdirSync(this.#directory, { recursive: true })
        writeFileSync(this.#waitingFile(name), Buffer.concat([Buffer.from(line), code]))
      } catch {
        // a package that belongs to somebody else: starts stay as they are
      }
    }
  }

  /**
   * Keeps this thread's code, and puts into place what all threads of the process kept: once the start is over, or at a clean
   * end before. On the main thread, which it keeps from nothing.
   */
  publishLater(names: readonly string[]): void {
    const publish = () => {
      for (const name of names) this.#publish(name)
      this.#sweep()
    }
    // a run that was too short, its threads have ended; one that failed has not called what a start calls
    process.once('exit', (code) => {
      if (code === 0) this.keep()
      for (const name of names) this.#finish(name, code === 0)
    })
    setTimeout(() => {
      this.keep()
      setTimeout(publish, PUBLISH_AFTER_MS).unref()
    }, KEEP_AFTER_MS).unref()
  }

  /** Durable first: a file that is there is whole, whatever happens to the machine. */
  #publish(name: string): void {
    try {
      const fd = openSync(this.#waitingFile(name), 'r+')
      fdatasync(fd, (error) => {
        closeSync(fd)
        this.#putInPlace(name, error === null)
      })
    } catch {
      // not kept by this process
    }
  }

  /** The same at the process's end. */
  #finish(name: string, isOfUse: boolean): void {
    try {
      const fd = openSync(this.#waitingFile(name), 'r+')
      if (isOfUse) fdatasyncSync(fd)
      closeSync(fd)
      this.#putInPlace(name, isOfUse)
    } catch {
      // not kept by this process, or in place by now
    }
  }

  #putInPlace(name: string, isOfUse: boolean): void {
    try {
      if (isOfUse) renameSync(this.#waitingFile(name), this.#file(name))
      else rmSync(this.#waitingFile(name))
    } catch {
      // another process has cleaned up, or a new build
    }
  }

  /** Removes what processes left behind that were killed before they published. */
  #sweep(): void {
    try {
      for (const name of readdirSync(this.#directory)) {
        const file = path.join(this.#directory, name)
        if (name.endsWith('.bin') || statSync(file).mtimeMs > Date.now() - ABANDONED_MS) continue
        rmSync(file, { force: true })
      }
    } catch {
      // no directory, or another's
    }
  }

  /**
   * Runs the bundle as Node would, but for `import()`, which Node does not serve in code that was kept: the build makes
   * `require` of it. False where it is no bundle.
   */
  #load(module: CommonJsModule, filename: string): boolean {
    if (path.dirname(filename) !== this.#codeDirectory) return false
    const name = path.basename(filename, '.cjs')
    const { text, mtimeMs } = readSource(filename)
    const build = text.slice(text.lastIndexOf('\n//# build=') + 1)
    if (!build.startsWith('//# build=')) return false
    const header = {
      format: 1,
      node: `${process.version} ${process.arch}`,
      sourceBytes: text.length,
      sourceMtimeMs: mtimeMs,
      build,
    } as const
    const script = new vm.Script(nodeModule.wrap(text), {
      filename,
      cachedData: readCode(this.#file(name), header),
    })
    // V8 refuses what another version or other flags made
    if (script.cachedDataRejected !== false) this.#fresh.push({ script, name, header })
    const run = script.runInThisContext() as (...args: unknown[]) => void
    const require = createRequire(filename)
    run.call(module.exports, module.exports, require, module, filename, this.#codeDirectory)
    return true
  }

  #file(name: string): string {
    return path.join(this.#directory, `${name}-${process.version}-${process.arch}.bin`)
  }

  #waitingFile(name: string): string {
    return `${this.#file(name)}.${process.pid}`
  }
}

/** Bundles are ASCII (esbuild escapes the rest), which is read sooner as Latin-1. */
function readSource(filename: string): { readonly text: string; readonly mtimeMs: number } {
  const fd = openSync(filename, 'r')
  try {
    return { text: readFileSync(fd, 'latin1'), mtimeMs: fstatSync(fd).mtimeMs }
  } finally {
    closeSync(fd)
  }
}

const HEADER_MAX_BYTES = 1_024

/** The code in `file`; undefined where there is none, or it was made of another source or by another Node. */
function readCode(file: string, expected: Omit<CacheHeader, 'codeBytes'>): Buffer | undefined {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return undefined
  }
  try {
    const start = Buffer.allocUnsafe(HEADER_MAX_BYTES)
    const head = start.toString('latin1', 0, readSync(fd, start, 0, HEADER_MAX_BYTES, 0))
    const lineEnd = head.indexOf('\n')
    const codeBytes = fstatSync(fd).size - lineEnd - 1
    const wanted = JSON.stringify({ ...expected, codeBytes })
    if (lineEnd < 0 || head.slice(0, lineEnd) !== wanted) return undefined
    const code = Buffer.allocUnsafeSlow(codeBytes)
    return readSync(fd, code, 0, codeBytes, lineEnd + 1) === codeBytes ? code : undefined
  } catch {
    return undefined
  } finally {
    closeSync(fd)
  }
}
