/** The committed image on its way to those who are to have it. */
import type { MetadataMessage } from '../image/request.ts'

interface Announcement {
  readonly messages: Iterator<MetadataMessage>
  readonly send: (message: MetadataMessage) => void
}

/**
 * One message a turn: made, copied to every thread and applied in one go, an image of 100,000 topics would take a controller's thread a second, after which it would be
 * taken for one that stood still. Until the last message the image must not change.
 */
export class Announcements {
  /** By who is told. */
  readonly #underWay = new Map<string, Announcement>()

  get areUnderWay(): boolean {
    return this.#underWay.size > 0
  }

  /** One that is under way to the same is given up for this: whoever has a part of it begins anew. */
  begin(
    to: string,
    messages: Iterator<MetadataMessage>,
    send: (message: MetadataMessage) => void,
  ): void {
    this.#underWay.delete(to)
    this.#underWay.set(to, { messages, send })
  }

  /** Sends the next message; returns how many, 0 for none. */
  sendOne(): number {
    const [next] = this.#underWay
    if (next === undefined) return 0
    const [to, { messages, send }] = next
    const { value, done } = messages.next()
    if (done === true || value.more !== true) this.#underWay.delete(to)
    if (done === true) return 0
    send(value)
    return 1
  }

  /** What has not gone out never will. */
  drop(): void {
    this.#underWay.clear()
  }
}
