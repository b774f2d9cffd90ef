import type { ControllerAgent } from '../../src/controller/agent.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import { MetadataImage } from '../../src/image/image.ts'

/** What a controller would publish now: the image of what is committed and applied there. */
export function imageOf(agent: Pick<ControllerAgent, 'snapshot'>): MetadataImage {
  const image = new MetadataImage()
  for (const message of agent.snapshot()) applyMetadata(image, structuredClone(message))
  return image
}
