import { tmpdir } from 'node:os';
import { type BodyLimits, SharedRoom } from '../../../src/model/request-body.js';

/** Limits of which a test changes those that it is about. */
export function limits(change: Partial<BodyLimits> = {}): BodyLimits {
  return {
    maxBytes: 1024 * 1024,
    memoryBytes: 1024 * 1024,
    heldMemory: new SharedRoom(128 * 1024 * 1024),
    heldDisk: new SharedRoom(1024 ** 3),
    heldFiles: new SharedRoom(1024),
    spoolDirectory: tmpdir(),
    timeoutSeconds: 30,
    ...change,
  };
}
