/** `griot version`. */
import { griotVersion } from '../server/version.ts'

export function runVersion(options: { readonly json?: boolean }): void {
  const version = griotVersion()
  console.log(options.json ? JSON.stringify({ version, node: process.version }) : version)
}
