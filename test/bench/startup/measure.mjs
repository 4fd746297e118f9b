// Starts the application of app.mjs again and again, bare and guarded in turn.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { publicKeys } from '../host/signer.mjs';
import { policyText } from '../host/world.mjs';
import { install } from './install.mjs';

const here = import.meta.dirname;
const POLICIES = 10;
const SCHEMA = `entity Repo;
action "pr.create" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };`;

/** For each round and stack: milliseconds from `spawn` until the application listens, and of CPU of all threads. */
export async function startRounds(count) {
  const folder = mkdtempSync(join(here, 'start-'));
  try {
    install(folder);
    writeApplication(folder);
    // Policies that changed in the last second are read twice.
    await setTimeout(1100);
    const rounds = [];
    // The first start fills the caches of the file system, and is not counted.
    for (let round = 0; round <= count; round += 1) {
      const taken = { bare: await startOnce('bare', folder), guarded: await startOnce('guarded', folder) };
      if (round > 0) rounds.push(taken);
    }
    return rounds;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function writeApplication(folder) {
  copyFileSync(join(here, 'app.mjs'), join(folder, 'app.mjs'));
  writeFileSync(join(folder, 'agents.json'), JSON.stringify(publicKeys.agents));
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies/all.cedar'), policyText(POLICIES));
  writeFileSync(join(folder, 'policies/api.cedarschema'), SCHEMA);
}

async function startOnce(stack, folder) {
  const begun = performance.now();
  const app = spawn(process.execPath, [join(folder, 'app.mjs'), stack], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(app, 'close');
  for await (const line of createInterface({ input: app.stdout })) {
    const wall = performance.now() - begun;
    app.kill();
    await ended;
    return { wall, cpu: JSON.parse(line).cpuMicros / 1000 };
  }
  throw new Error(`${stack}: it did not start`);
}
