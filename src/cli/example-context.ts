/** What the files go by that `griot example` prints. */
export interface ExampleContext {
  readonly version: string
  /** Absolute paths of the node and the griot that print it. */
  readonly node: string
  readonly launcher: string
}
