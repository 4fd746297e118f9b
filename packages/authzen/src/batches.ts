import type { Resource } from '@countersign/policy';
import type { WrittenJson } from '@countersign/pdp';
import { writeResource } from './evaluation-request.js';

/** Most bytes of the resources of a batch. Proxies take 1 MiB by default (nginx), Cerbos 4 MiB. */
const maxBatchBytes = 524_288;

/**
 * Batches that are full by number or by bytes, and name no resource twice: Cerbos answers about all of one type and id as it
 * does about the first, whatever their attributes. A resource that cannot be sent stays in its place, with its problem. Written
 * as they are sent, so that a long list does not block the event loop.
 */
export function* batches(
  resources: readonly Resource[],
  shared: string,
  batchSize: number,
): Generator<readonly WrittenJson[]> {
  let batch: WrittenJson[] = [];
  let bytes = 0;
  const named = new Set<string>();
  for (const resource of resources) {
    const written = writeResource(resource, shared);
    const size = written.ok ? Buffer.byteLength(written.text) : 0;
    const name = written.ok ? JSON.stringify([resource.type, resource.id]) : '';
    if (batch.length === batchSize || bytes + size > maxBatchBytes || named.has(name)) {
      yield batch;
      [batch, bytes] = [[], 0];
      named.clear();
    }
    batch.push(written);
    bytes += size;
    if (written.ok) named.add(name);
  }
  if (batch.length > 0) yield batch;
}
