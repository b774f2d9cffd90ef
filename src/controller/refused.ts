/** The engine must not start on this data directory; the message is for the operator and names what to do. */
export class StartRefusedError extends Error {
  override name = 'StartRefusedError'
}
