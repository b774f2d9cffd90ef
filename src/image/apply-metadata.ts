import type { MetadataImage } from './image.ts'
import type { MetadataMessage } from './request.ts'

/**
 * Applies a control message: `first` = 0 begins anew, else it must begin where the image, or what has come of the next one, ends. Throws {@link InvariantError} on a
 * gap. `onWhole` is told what was there before, once another image has taken its place. False, and nothing is done: it is of a controller that is none any more.
 */
export function applyMetadata(
  image: MetadataImage,
  message: MetadataMessage,
  onWhole?: (before: MetadataImage) => void,
): boolean {
  if (message.epoch < image.epoch) return false
  image.noteEpoch(message.epoch)
  const before = image.take(message)
  if (before !== null) onWhole?.(before)
  return true
}
