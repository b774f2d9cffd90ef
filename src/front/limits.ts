/**
 * Topics that one request may have the controller create or delete: as many as Kafka's limit on partitions allows in any case.
 * More are refused here, since carrying them to the controller's thread costs more than the refusal.
 */
export const TOPICS_PER_REQUEST_MAX = 10_000

/** Kafka's words for it. */
export const tooManyTopics = (asked: number): string =>
  `Excessively large number of topics per request: ${asked}, the limit is ${TOPICS_PER_REQUEST_MAX}.`
