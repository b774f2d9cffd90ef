/** Where the operator token comes from: given, or made at the first start and kept in the data directory. Server's thread, and the CLI. */
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import type { Logger } from '../base/log.ts'
import { writeDurably } from './data-directory.ts'
import { readSmallFile } from './small-file.ts'
import { systemRandomHex } from './system-random.ts'

/** Within the data directory, mode 0600. */
export const OPERATOR_TOKEN_FILE = 'operator-token'

const OWN_TOKEN_DIGITS = 64
/** A token of the longest kind, with room for white space around it. */
const TOKEN_FILE_BYTES_MAX = 4_096
/** RFC 6750's b64token, at a length that nobody guesses and every header takes. */
const TOKEN = /^(?=.{16,1024}$)[A-Za-z0-9._~+/-]+=*$/
const WANTED =
  "wants 16 to 1024 letters, digits and any of - . _ ~ + /, such as 'openssl rand -hex 32' prints"

/** The operator token cannot be had: the message names the file or variable, never what is in it. */
export class OperatorTokenError extends Error {
  override name = 'OperatorTokenError'
}

/** The one of `--token-file` cannot be had: the option is refused, trying again does not help. */
export class TokenFileError extends OperatorTokenError {
  override name = 'TokenFileError'
}

/** `text` as a token. Throws {@link OperatorTokenError} that names `origin`. */
export function checkToken(text: string, origin: string): string {
  if (TOKEN.test(text)) return text
  throw new OperatorTokenError(`${origin} is refused, it ${WANTED}`)
}

/** The token in `file`, without white space around it. Throws {@link OperatorTokenError} that names `origin` and file. */
export function readToken(file: string, origin: string): string {
  let text: string
  try {
    // a wrong path may be a device or a huge file
    text = readSmallFile(file, { bytesMax: TOKEN_FILE_BYTES_MAX })
  } catch (error) {
    const reason = (error as Error).message
    throw new OperatorTokenError(
      `${origin}: the operator token in ${file} cannot be read: ${reason}`,
    )
  }
  return checkToken(text.trim(), `${origin}: what is in ${file}`)
}

export interface TokenSource {
  /** GRIOT_TOKEN, or what a program gave; already checked. */
  readonly given: string | null
  readonly tokenFile: string | null
  readonly dataDir: string
}

/** The token of an engine; made in its data directory where there is none yet. Call under the directory's lock. */
export function operatorToken({ given, tokenFile, dataDir }: TokenSource, logger: Logger): string {
  if (given !== null) return given
  if (tokenFile !== null) return givenToken(tokenFile)
  const file = path.join(dataDir, OPERATOR_TOKEN_FILE)
  if (!existsSync(file)) {
    writeDurably(file, `${systemRandomHex(OWN_TOKEN_DIGITS)}\n`)
    logger.log('info', 'operator token made: HTTP beyond loopback asks for it', { file })
  }
  warnOfReaders(file, logger)
  return readToken(file, 'data directory')
}

function givenToken(file: string): string {
  try {
    return readToken(file, 'option --token-file')
  } catch (error) {
    throw error instanceof OperatorTokenError ? new TokenFileError(error.message) : error
  }
}

function warnOfReaders(file: string, logger: Logger): void {
  const mode = statSync(file).mode & 0o777
  if (process.platform === 'win32' || (mode & 0o077) === 0) return
  const message = 'the operator token can be read by others than its owner: chmod 600 it'
  logger.log('warn', message, { file, mode: mode.toString(8).padStart(4, '0') })
}
