/** PEM files of certificates that options and properties name. */
import { X509Certificate } from 'node:crypto'
import { readNamed } from './command-config.ts'
import { UsageError } from './failure.ts'

/** Returns `text`. Throws {@link UsageError} where no certificate is in it. */
export function certificates(text: string, where: string): string {
  try {
    new X509Certificate(text)
    return text
  } catch {
    throw new UsageError(`${where}: no certificate (PEM) is in it`)
  }
}

/** What is in the file of `--ca`. Throws {@link UsageError} where it cannot be read, or has no certificate. */
export const readCa = (file: string): string =>
  certificates(readNamed(file, `--ca ${file}`), `--ca ${file}`)
