import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCheckpoint, openCheckpoint, parseCheckpoint } from '../src/checkpoint.js';
import { readKeptCheckpoints, readOwnCheckpoints, splitCheckpoints } from '../src/checkpoint-file.js';
import { leafHash } from '../src/merkle.js';
import { formatVerifierKey, openNote, parseVerifierKey, type VerifierKey } from '../src/note.js';
import { readVector, vectorFolder } from './vectors.js';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const key = formatVerifierKey('acme.dev/audit', publicKey);
const root = leafHash(Buffer.from('x'));

function signed(text: string, vkey = key, by = privateKey): string {
  const { name, id } = parseVerifierKey(vkey)!;
  const signature = Buffer.concat([Buffer.from(id, 'hex'), sign(null, Buffer.from(text), by)]);
  return `${text}\n— ${name} ${signature.toString('base64')}\n`;
}

const checkpoint = { origin: 'acme.dev/audit', size: 7, root };

describe('a checkpoint', () => {
  it('opens with the signed content [F6]', () => {
    expect(openCheckpoint(signed(formatCheckpoint(checkpoint)), key)).toEqual({ ok: true, checkpoint });
  });

  it('does not open when any byte was changed [F6]', () => {
    const note = Buffer.from(signed(formatCheckpoint(checkpoint)));
    for (let at = 0; at < note.length; at++) {
      const changed = Buffer.from(note);
      changed[at]! ^= 1;
      expect(openCheckpoint(changed, key).ok, `byte ${at}`).toBe(false);
      expect(openCheckpoint(Buffer.concat([note.subarray(0, at), note.subarray(at + 1)]), key).ok).toBe(false);
    }
  });

  it('does not open with another key, name or log [F6]', () => {
    const other = generateKeyPairSync('ed25519');
    const otherKey = formatVerifierKey('acme.dev/audit', other.publicKey);
    const renamed = formatVerifierKey('acme.dev/other', publicKey);
    const note = signed(formatCheckpoint(checkpoint));
    expect(openCheckpoint(note, otherKey)).toEqual({ ok: false, problem: 'no_known_signature' });
    expect(openCheckpoint(note, renamed)).toEqual({ ok: false, problem: 'no_known_signature' });
    expect(openCheckpoint(note, `${key}A`)).toEqual({ ok: false, problem: 'bad_key' });
    // The key of this log has signed what another log says.
    const foreign = signed(formatCheckpoint({ ...checkpoint, origin: 'acme.dev/other' }));
    expect(openCheckpoint(foreign, key)).toEqual({ ok: false, problem: 'malformed' });
  });

  it.each([
    ['no origin', `\n7\n${root.toString('base64')}\n`],
    ['a size with a leading zero', `a\n07\n${root.toString('base64')}\n`],
    ['a negative size', `a\n-7\n${root.toString('base64')}\n`],
    ['a size beyond safe integers', `a\n9007199254740993\n${root.toString('base64')}\n`],
    ['a short root', `a\n7\n${root.subarray(1).toString('base64')}\n`],
    ['a root that is not base64', 'a\n7\n!\n'],
    ['no end of line', `a\n7\n${root.toString('base64')}`],
    ['an empty extension line', `a\n7\n${root.toString('base64')}\n\n`],
  ])('with %s is refused', (_name, text) => {
    expect(parseCheckpoint(text)).toBeUndefined();
  });

  it('is read from a file of several, unless it is incomplete', () => {
    const notes = [5, 6, 7].map((size) => signed(formatCheckpoint({ ...checkpoint, size })));
    const file = notes.map((note) => `${note}\n`).join('');
    expect(splitCheckpoints(file)).toEqual(notes);
    expect(splitCheckpoints(notes[0]!)).toEqual([notes[0]]);
    expect(splitCheckpoints('')).toEqual([]);
    const second = notes[0]!.length + 1;
    for (let cut = second; cut < second + notes[1]!.length - 1; cut++) {
      expect(splitCheckpoints(file.slice(0, cut))).toEqual([notes[0]]);
      expect(readOwnCheckpoints(file.slice(0, cut)).strays).toEqual([]);
    }
  });

  it('is read from a copy kept elsewhere with any line ends [F6]', () => {
    const notes = [5, 6, 7].map((size) => signed(formatCheckpoint({ ...checkpoint, size })));
    const file = notes.map((note) => `${note}\n`).join('');
    for (const copy of [
      file,
      file.trim(),
      file.replaceAll('\n', '\r\n'),
      `\n\n${notes.join('\n\n\n')}`,
      notes.join(''),
    ]) {
      expect(readKeptCheckpoints(copy)).toEqual({ notes, strays: [] });
    }
  });

  it('is read behind other text, which is reported [F6]', () => {
    const notes = [5, 6, 7].map((size) => signed(formatCheckpoint({ ...checkpoint, size })));
    const [first = '', second = '', third = ''] = notes;
    expect(readKeptCheckpoints(`${first}\nsomething\n\n${second}`)).toEqual({ notes: [first, second], strays: [7] });
    expect(readOwnCheckpoints(`${first}\nsomething\n\n${second}`)).toEqual({ notes: [first, second], strays: [7] });
    expect(readKeptCheckpoints(`${first}\n${second.slice(0, second.indexOf('\n\n'))}`).strays).toEqual([7]);
    expect(readKeptCheckpoints('{"oops":1}')).toEqual({ notes: [], strays: [1] });
    expect(readKeptCheckpoints(' \n')).toEqual({ notes: [], strays: [1] });
    for (let cut = 1; cut < second.length - 1; cut++) {
      const torn = readKeptCheckpoints(`${first}\n${second.slice(0, cut)}${third}\n${second}\n`);
      expect([torn.notes.at(0), torn.notes.at(-1)]).toEqual([first, second]);
      const wrong = torn.notes.filter((note) => !openCheckpoint(note, key).ok).length + torn.strays.length;
      expect(wrong, `cut at ${cut}`).toBeGreaterThan(0);
    }
  });
});

describe('parsing hostile text', () => {
  it('never throws', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('\n', '— ', 'a', '+', ' ') }),
    );
    fc.assert(
      fc.property(text, (anything) => {
        expect(openNote(anything, [parseVerifierKey(key)!]).ok).toBe(false);
        expect(parseVerifierKey(anything)).toBeUndefined();
        parseCheckpoint(anything);
        splitCheckpoints(anything);
        readKeptCheckpoints(anything);
      }),
      { numRuns: 500 },
    );
  });
});

interface NoteVectors {
  readonly cases: readonly {
    readonly name: string;
    readonly noteB64: string;
    readonly verifiers: readonly string[];
    readonly ok: boolean;
    readonly verified?: readonly string[];
    readonly unverified?: readonly string[];
    readonly error?: string;
  }[];
  readonly sign: { readonly skey: string; readonly text: string; readonly want: string };
  readonly badVerifierKeys: readonly string[];
}

const problems: Readonly<Record<string, string>> = {
  'malformed note': 'malformed',
  'note has no verifiable signatures': 'no_known_signature',
};

function problemOf(error = ''): string {
  if (error.startsWith('ambiguous key')) return 'ambiguous_key';
  return error.startsWith('invalid signature') ? 'wrong_signature' : (problems[error] ?? error);
}

const noteFolder = vectorFolder('signed-note');
if (noteFolder === undefined) {
  console.warn('SIGNED NOTE VECTORS DID NOT RUN: ../shared/vectors is missing beside the repository');
} else {
  const vectors = readVector(`${noteFolder}open-cases.json`) as NoteVectors;
  const goodKey = vectors.cases[0]!.verifiers[0]!;

  describe('vectors of golang.org/x/mod/sumdb/note', () => {
    it.each(vectors.cases.map((one) => [one.name, one] as const))('%s', (_name, one) => {
      const keys = one.verifiers.map(parseVerifierKey) as VerifierKey[];
      const opened = openNote(Buffer.from(one.noteB64, 'base64'), keys);
      if (opened.ok) expect(opened).toMatchObject({ verified: one.verified, unverified: one.unverified });
      else expect(opened).toEqual({ ok: false, problem: problemOf(one.error) });
      expect(opened.ok).toBe(one.ok);
    });

    it('a note signed with their key equals theirs', () => {
      const { skey, text, want } = vectors.sign;
      const seed = Buffer.from(/^PRIVATE\+KEY\+[^+]+\+[^+]+\+(.*)$/.exec(skey)![1]!, 'base64').subarray(1);
      const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
      const theirs = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
      const vkey = formatVerifierKey('PeterNeumann', createPublicKey(theirs));
      expect(vkey).toBe(goodKey);
      expect(signed(text, vkey, theirs)).toBe(want);
    });

    it('incomplete or changed keys are refused', () => {
      for (const bad of vectors.badVerifierKeys) expect(parseVerifierKey(bad)).toBeUndefined();
      for (let at = 0; at < goodKey.length; at++) {
        expect(parseVerifierKey(goodKey.slice(0, at))).toBeUndefined();
        const changed = Buffer.from(goodKey);
        changed[at]! += 1;
        expect(parseVerifierKey(changed.toString('latin1'))).toBeUndefined();
      }
    });
  });
}

const specifications = vectorFolder('tlog-c2sp');
if (specifications === undefined) {
  console.warn('C2SP EXAMPLES DID NOT RUN: ../shared/vectors is missing beside the repository');
} else {
  describe('examples in the specifications of C2SP', () => {
    it('a verifier key', () => {
      const text = readFileSync(`${specifications}signed-note.md`, 'utf8');
      const [vkey = ''] = /example\.com\/foo\+[0-9a-f]{8}\+\S+/.exec(text) ?? [];
      expect(parseVerifierKey(vkey)).toMatchObject({ name: 'example.com/foo', id: '530d903a' });
    });

    it('a checkpoint', () => {
      const text = readFileSync(`${specifications}tlog-checkpoint.md`, 'utf8');
      const [, note = ''] = /^```\n(.*?)^```$/ms.exec(text) ?? [];
      expect(splitCheckpoints(note)).toEqual([note]);
      expect(openNote(note, [])).toEqual({ ok: false, problem: 'no_known_signature' });
      expect(parseCheckpoint(note.slice(0, note.indexOf('\n\n') + 1))).toMatchObject({
        origin: 'example.com/behind-the-sofa',
        size: 20852163,
      });
    });
  });
}
