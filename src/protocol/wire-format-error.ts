/**
 * Bytes that are no message of the protocol, or a value that a version cannot carry. The message names API,
 * direction, version, field path, what is wrong and the limit; it never quotes the bytes.
 */
export class WireFormatError extends Error {
  override name = 'WireFormatError'
}
