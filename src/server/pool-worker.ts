/** Entry of the pool's threads: Piscina calls `runOnPool` by its name. */
export { runOnPool } from '../front/record-worker.ts'
