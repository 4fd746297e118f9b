// The load generator, a process of its own: it signs a batch while the servers rest, then sends it.
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { openConnection } from './connection.mjs';
import { publicKeys, signBatch } from './signer.mjs';

const RAW_BYTES = 900;
let batch = [];

const tasks = {
  keys: async () => publicKeys,
  sign: async (wanted) => {
    batch = await signBatch(wanted);
    return {};
  },
  load: sendBatch,
  verify: rawVerify,
};

process.on('disconnect', () => process.exit());
process.on('message', async ({ task, ...given }) => {
  try {
    process.send(await tasks[task](given));
  } catch (error) {
    process.send({ error: String(error) });
  }
});

/**
 * Sends the batch, or what of it fits into the time; with `repeat`, again and again until the time is over. Requests in
 * flight at the end are awaited and counted.
 */
async function sendBatch({ port, connections, milliseconds, repeat }) {
  const most = repeat ? Infinity : batch.length;
  const waits = [];
  let sent = 0;
  const opened = await Promise.all(Array.from({ length: connections }, () => openConnection(port)));
  const begun = performance.now();
  const end = begun + milliseconds;
  await Promise.all(
    opened.map(async (connection) => {
      while (sent < most && performance.now() < end) {
        const at = performance.now();
        const answer = await connection.send(batch[sent++ % batch.length]);
        waits.push(performance.now() - at);
        if (!answer.startsWith('HTTP/1.1 201 ')) throw new Error(answer);
      }
    }),
  ).finally(() => opened.forEach(({ close }) => close()));
  const seconds = (performance.now() - begun) / 1000;
  waits.sort((one, other) => one - other);
  return { requests: waits.length, seconds, p50: at(waits, 0.5), p99: at(waits, 0.99) };
}

function at(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** CPU µs of one Ed25519 verification of a signature base's size: the floor of any check. */
async function rawVerify({ count }) {
  const pair = generateKeyPairSync('ed25519');
  const key = createPublicKey(pair.privateKey);
  const data = Buffer.alloc(RAW_BYTES, 'a');
  const signature = sign(null, data, pair.privateKey);
  const before = process.cpuUsage();
  for (let done = 0; done < count; done += 1) {
    if (!verify(null, data, key, signature)) throw new Error('a good signature did not verify');
  }
  const { user, system } = process.cpuUsage(before);
  return { micros: (user + system) / count };
}
