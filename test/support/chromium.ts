import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { reportMissing } from './required.js';

/** The Chromium of the machine; undefined if there is none, and the tests that need it are skipped. */
export function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
  return (
    found ?? reportMissing('chromium', 'Chromium is missing: its tests are skipped. `apt install chromium` gives it.')
  );
}
