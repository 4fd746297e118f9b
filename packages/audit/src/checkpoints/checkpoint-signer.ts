import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type Checkpoint, formatCheckpoint, formatVerifierKey } from '@countersign/audit-verifier';
import { ConfigError } from '@countersign/common';
import { createAtomically } from '../disk/atomic-file.js';
import { checkRegularFile, readIfPresent } from '../disk/regular-file.js';

/** Signs the checkpoints of a log. */
export interface CheckpointSigner {
  /** The public key that verifies the log: `name+id+base64`. */
  readonly verifierKey: string;
  /** A C2SP signed note. */
  sign(checkpoint: Omit<Checkpoint, 'origin'>): string;
}

export function checkpointSigner(origin: string, privateKey: KeyObject): CheckpointSigner {
  const verifierKey = formatVerifierKey(origin, createPublicKey(privateKey));
  const keyId = Buffer.from(verifierKey.slice(origin.length + 1, origin.length + 9), 'hex');
  return {
    verifierKey,
    sign(checkpoint) {
      const text = formatCheckpoint({ origin, ...checkpoint });
      const signature = Buffer.concat([keyId, sign(null, Buffer.from(text), privateKey)]);
      return `${text}\n— ${origin} ${signature.toString('base64')}\n`;
    },
  };
}

/**
 * Reads an Ed25519 key from a PEM file (PKCS #8). For a new log it creates the file (mode 0600) if it is missing or empty:
 * a crash can leave an empty file for a key that has signed nothing.
 */
export function readOrCreateKey(path: string, isNewLog: boolean): KeyObject {
  let pem = readIfPresent(path);
  if (isNewLog && pem?.length === 0) {
    // Not through a link: only a file that a crash left here is ours to replace.
    checkRegularFile(path);
    rmSync(path);
    pem = undefined;
  }
  if (pem === undefined) {
    if (!isNewLog) throw missing(path);
    const { privateKey } = generateKeyPairSync('ed25519');
    const made = createAtomically(path, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
    // Otherwise another process created the file at the same moment: read that key.
    if (made) return privateKey;
    pem = readIfPresent(path);
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(pem ?? '');
  } catch {
    throw new ConfigError(
      `auditFile: '${path}' holds no private key that can be read. It must be PKCS #8 in PEM. ` +
        'Put the key back that the log was begun with, or begin a new log in another folder.',
    );
  }
  return checkKey(key, `'${path}'`);
}

export function checkKey(key: KeyObject, name: string): KeyObject {
  if (key.type === 'private' && key.asymmetricKeyType === 'ed25519') return key;
  throw new ConfigError(`auditFile: ${name} is no private Ed25519 key. Checkpoints are signed with Ed25519.`);
}

function missing(path: string): ConfigError {
  return new ConfigError(
    `auditFile: there is a log, but not the key that seals it, '${path}'. Put this file back as it was, or name the ` +
      'one that the log was begun with as `checkpointKey`. If it is lost, begin a new log in another folder.',
  );
}
