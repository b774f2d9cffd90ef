#!/usr/bin/env node
/**
 * What `npx griot` runs: CommonJS, because by the time that an ES module runs, Node has used libuv's thread pool and its size
 * is fixed. Then the real entry, with compiled code kept between starts where Node can.
 */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { CodeCache } from '../server/code-cache.ts'

/** Blocking file calls at a time, all threads together: flushes, and reads of segments of several directories. */
const THREAD_POOL_SIZE = 16

/** What a start loads: only an engine runs long enough for its code to be worth keeping. */
const KEPT = ['cli', 'kafka-front-thread', 'broker-thread', 'http-thread', 'flusher-thread']

process.env.UV_THREADPOOL_SIZE ??= String(THREAD_POOL_SIZE)
const cache = CodeCache.install(fileURLToPath(import.meta.url))
if (process.argv[2] === 'start') cache?.publishLater(KEPT)

// named by a variable, so that it is not bundled into this file
const entry = './cli.cjs'
createRequire(import.meta.url)(entry)
