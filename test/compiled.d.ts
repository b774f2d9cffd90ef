/** The bundle as the package exports it: tests import it by path, its types are those of the sources. */
declare module '*/dist/index.js' {
  export const Griot: typeof import('../src/index.ts').Griot
  export type Griot = import('../src/index.ts').Griot
  export type GriotOptions = import('../src/index.ts').GriotOptions
}
