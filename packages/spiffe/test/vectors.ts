import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../../shared/vectors/spiffe/', import.meta.url));

export const hasVectors: boolean = existsSync(folder);

if (!hasVectors) console.warn('SPIFFE VECTORS DID NOT RUN: ../shared/vectors is missing beside the repository');

export function readVectors(name: string): unknown {
  return JSON.parse(readFileSync(folder + name, 'utf8'));
}
