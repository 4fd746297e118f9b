import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { patiently } from '../../../../../test/support/patiently.js';

/** A folder for spooled bodies that goes away after the test. */
export function spoolFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-spool-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The files of the folder that this process holds open, named or not. Only Linux tells; elsewhere none are seen. */
export function openFiles(folder: string): string[] {
  if (process.platform !== 'linux') return [];
  const descriptors = readdirSync('/proc/self/fd').map((descriptor) => `/proc/self/fd/${descriptor}`);
  return descriptors.filter((path) => {
    try {
      return readlinkSync(path).startsWith(`${folder}/`);
    } catch {
      return false;
    }
  });
}

/** Nothing is left, neither a name in the folder nor an open file without one. */
export async function expectNothingLeft(folder: string): Promise<void> {
  await vi.waitFor(() => {
    const left = [...readdirSync(folder), ...openFiles(folder)];
    if (left.length > 0) throw new Error(`left: ${left.join(', ')}`);
  }, patiently);
}
