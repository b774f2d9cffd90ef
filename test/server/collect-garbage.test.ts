import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { collectGarbage } from '../../src/server/collect-garbage.ts'

test('collects what nothing refers to, and shows its means to nobody', () => {
  const gone = new WeakRef({ some: 'garbage' })
  collectGarbage()
  return new Promise<void>((resolve, reject) => {
    // what a WeakRef was made for stays until the turn is over
    setTimeout(() => {
      collectGarbage()
      try {
        expect(gone.deref()).toBeUndefined()
        expect(runInNewContext('typeof gc')).toBe('undefined')
        resolve()
      } catch (error) {
        reject(error as Error)
      }
    }, 1)
  })
})
