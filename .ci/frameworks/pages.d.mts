export function readPage(
  readme: string,
  heading: string,
): {
  readonly files: Readonly<Record<string, string>>
  readonly commands: readonly string[]
  readonly tests: number
}
