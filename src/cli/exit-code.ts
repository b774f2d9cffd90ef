/** What `griot` ends with, the same for every subcommand; stated in README.md. */
export const ExitCode = {
  OK: 0,
  /** It could not start, broke while running, or the engine asked is not well. */
  FAILED: 1,
  /** A command, option, environment variable or key of the configuration file was refused. */
  USAGE: 2,
  /** Plus the signal's number: a second signal stopped it at once. */
  SIGNAL: 128,
} as const
