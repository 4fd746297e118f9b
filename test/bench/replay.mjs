// The replay store in memory: what it holds and what a reservation costs while it fills up to 1,000,000 live nonces, and
// then as they expire and others come at the same pace. Run it with `pnpm bench`. CPU time, not wall clock; a nonce is
// made outside what is measured. The ratio is to one SHA-256 of the nonce in the same run: it carries over to other
// machines, the times do not.
import { createHash, randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { memoryReplayStore } from '@countersign/core';

const LIVE = 1_000_000;
const LIFETIME_SECONDS = 65;
const KEYS = 1000;
const CHUNK = 20_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const began = 1_800_000_000;
const pace = LIVE / LIFETIME_SECONDS;
const keyIds = Array.from({ length: KEYS }, () => randomBytes(32).toString('base64url'));

let reserved = 0;
/** Reserves a chunk of nonces as they would come, and gives the CPU time of one in microseconds. */
function chunkMicros(store) {
  const random = randomBytes(CHUNK * 16).toString('hex');
  const nonces = Array.from({ length: CHUNK }, (_, index) => random.slice(index * 32, index * 32 + 22));
  const started = process.cpuUsage();
  for (const nonce of nonces) {
    const now = began + reserved / pace;
    const keyId = keyIds[reserved % KEYS];
    const proof = { agent: keyId, keyId, nonce, created: now, until: now + LIFETIME_SECONDS, now };
    if (store.reserve(proof) !== 'reserved') throw new Error('a fresh nonce was refused');
    reserved += 1;
  }
  const { user, system } = process.cpuUsage(started);
  return (user + system) / CHUNK;
}

function hashMicros() {
  const started = process.cpuUsage();
  for (let index = 0; index < CHUNK; index += 1)
    createHash('sha256')
      .update(keyIds[index % KEYS])
      .digest('base64');
  const { user, system } = process.cpuUsage(started);
  return (user + system) / CHUNK;
}

function heldMebibytes() {
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { held: (heapUsed + arrayBuffers) / 2 ** 20, rss: rss / 2 ** 20 };
}

function summary(phase, micros, hash, before) {
  const sorted = micros.toSorted((one, other) => one - other);
  const mean = micros.reduce((sum, one) => sum + one, 0) / micros.length;
  const after = heldMebibytes();
  return {
    phase,
    'best µs': sorted[0].toFixed(2),
    'median µs': sorted[Math.floor(sorted.length / 2)].toFixed(2),
    'mean µs': mean.toFixed(2),
    'median / sha256': (sorted[Math.floor(sorted.length / 2)] / hash).toFixed(2),
    'heap + buffers MiB': (after.held - before.held).toFixed(1),
    'RSS of the process MiB': after.rss.toFixed(1),
  };
}

const clock = () => began * 1000;

/** Compiles the store, and lets the heap grow to what the nonces of the chunks need. */
function warmUp() {
  const store = memoryReplayStore({ clock });
  for (let chunk = 0; chunk < 10; chunk += 1) chunkMicros(store);
  reserved = 0;
}

warmUp();
const before = heldMebibytes();
const hash = Math.min(...Array.from({ length: 10 }, hashMicros));
const store = memoryReplayStore({ maxEntries: LIVE + 2 * Math.ceil(pace), clock });
const filling = Array.from({ length: LIVE / CHUNK }, () => chunkMicros(store));
const filled = summary('filling', filling, hash, before);
const steady = Array.from({ length: (2 * LIVE) / CHUNK }, () => chunkMicros(store));
console.table([filled, summary('steady', steady, hash, before)]);
