import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { readFirstLine } from './log-folder.js';
import { type Fence, readHeader, readLogLine } from './log-line.js';

/** The declaration of the next segment about the end of this one. */
export interface FoundFence {
  /** The bytes from here on are void: a crash tore them. Undefined if none are. */
  readonly validBytes?: number;
  /** True: the void bytes have changed since, so the declaration is ignored. */
  readonly broken: boolean;
}

/** Reads the declaration of the next segment about the end of this one, and checks the void bytes. */
export async function readFence(path: string, nextPath: string): Promise<FoundFence> {
  const fence = readHeader(readLogLine(await readFirstLine(nextPath))?.record)?.fenced;
  if (fence === undefined) return { broken: false };
  return (await isAsFenced(path, fence)) ? { validBytes: fence.validBytes, broken: false } : { broken: true };
}

async function isAsFenced(path: string, { validBytes, voidBytes, sha256 }: Fence): Promise<boolean> {
  if ((await stat(path)).size !== validBytes + voidBytes) return false;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { start: validBytes })) hash.update(chunk as Buffer);
  return hash.digest('hex') === sha256;
}
