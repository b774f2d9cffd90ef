import { loginSource } from '../tenant/login-source.ts'

/** What logins from a connection's `HOST:PORT`, or `[HOST]:PORT`, are counted under. Any thread. */
export const sourceOf = (remoteAddress: string): string =>
  loginSource(remoteAddress.slice(0, remoteAddress.lastIndexOf(':')).replace(/^\[|\]$/g, ''))
