// Records, in order, the file operations of a process in one folder: each write, sync, created and removed name, and the
// messages of the process. Import it before the recorded code. Calls of node:fs that it does not record are detected,
// because the folder then differs from the recording: see power-loss.ts.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, relative } from 'node:path';

const real = { ...fs };
const [, , root = '', tracePath = ''] = process.argv;
const trace = [];
/** Open files below the folder, by descriptor. */
const opened = new Map();
/** A call of node:fs may call others: record only the outermost. */
let depth = 0;

/** Records an operation; its position is its time. */
export function note(entry) {
  return trace.push(entry) - 1;
}

const isBelow = (path) => typeof path === 'string' && (path === root || path.startsWith(`${root}/`));
const named = (path) => relative(root, path) || '.';
const exists = (path) => real.lstatSync(path, { throwIfNoEntry: false }) !== undefined;
const bytesOf = (data) =>
  typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer ?? data, data.byteOffset, data.byteLength);

function record(name, tell) {
  const call = fs[name];
  fs[name] = (...args) => {
    if (depth > 0) return call(...args);
    depth += 1;
    try {
      return tell((...changed) => call(...(changed.length > 0 ? changed : args)), ...args);
    } finally {
      depth -= 1;
    }
  };
}

function noteOpen(path, wasThere) {
  if (!wasThere) note({ op: 'create', path: named(path) });
}

function noteWrite(path, at, bytes) {
  note({ op: 'write', path: named(path), at, data: bytes.toString('base64') });
}

record('openSync', (call, path) => {
  if (!isBelow(path)) return call();
  const wasThere = exists(path);
  const descriptor = call();
  opened.set(descriptor, path);
  noteOpen(path, wasThere);
  return descriptor;
});

record('closeSync', (call, descriptor) => {
  opened.delete(descriptor);
  return call();
});

// Without a position the write appends, or the file is new.
record('writeSync', (call, descriptor, bytes, offset, _length, position) => {
  const path = opened.get(descriptor);
  if (path === undefined) return call();
  const at = position ?? real.fstatSync(descriptor).size;
  const written = call();
  noteWrite(path, at, bytesOf(bytes).subarray(offset).subarray(0, written));
  return written;
});

for (const name of ['writeFileSync', 'appendFileSync']) {
  record(name, (call, path, data, options) => {
    if (!isBelow(path)) return call();
    const wasThere = exists(path);
    const at = wasThere ? real.statSync(path).size : 0;
    call();
    noteOpen(path, wasThere);
    noteWrite(path, at, bytesOf(data));
    if (options?.flush) note({ op: 'synced', path: named(path), since: note({ op: 'sync', path: named(path) }) });
  });
}

for (const name of ['fsyncSync', 'fdatasyncSync']) {
  record(name, (call, descriptor) => {
    const path = opened.get(descriptor);
    if (path === undefined) return call();
    const since = note({ op: 'sync', path: named(path) });
    call();
    note({ op: 'synced', path: named(path), since });
  });
}

for (const name of ['fsync', 'fdatasync']) {
  record(name, (call, descriptor, done) => {
    const path = opened.get(descriptor);
    if (path === undefined) return call();
    // The sync may or may not include later writes.
    const since = note({ op: 'sync', path: named(path) });
    return call(descriptor, (error) => {
      if (!error) note({ op: 'synced', path: named(path), since });
      done(error);
    });
  });
}

record('ftruncateSync', (call, descriptor, size) => {
  call();
  const path = opened.get(descriptor);
  if (path !== undefined) note({ op: 'truncate', path: named(path), size });
});

record('truncateSync', (call, path, size) => {
  call();
  if (isBelow(path)) note({ op: 'truncate', path: named(path), size });
});

for (const name of ['rmSync', 'unlinkSync']) {
  record(name, (call, path) => {
    const wasThere = isBelow(path) && exists(path);
    call();
    if (wasThere) note({ op: 'remove', path: named(path) });
  });
}

for (const [name, op] of [
  ['renameSync', 'rename'],
  ['linkSync', 'link'],
]) {
  record(name, (call, from, to) => {
    call();
    if (isBelow(to)) note({ op, from: named(from), to: named(to) });
  });
}

record('mkdirSync', (call, path) => {
  const first = call();
  if (!isBelow(path) || first === undefined) return first;
  const made = [];
  for (let folder = path; folder !== dirname(first); folder = dirname(folder)) made.unshift(folder);
  for (const folder of made) note({ op: 'folder', path: named(folder) });
  return first;
});

syncBuiltinESMExports();

process.on('exit', () => real.writeFileSync(tracePath, `${trace.map((entry) => JSON.stringify(entry)).join('\n')}\n`));
