#!/usr/bin/env node
/**
 * What `npx griot` runs: CommonJS, because by the time that an ES module runs, Node has used libuv's thread pool and its size
 * is fixed. Then the real entry, with compiled code kept between starts where Node can.
 */
import nodeModule, { createRequire } from 'node:module'

/** Blocking file calls at a time, all threads together: flushes, and reads of segments of several directories. */
const THREAD_POOL_SIZE = 16

process.env.UV_THREADPOOL_SIZE ??= String(THREAD_POOL_SIZE)
// Node 22.8 and later
;(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.()

// named by a variable, so that it is not bundled into this file
const entry = './cli.cjs'
createRequire(import.meta.url)(entry)
