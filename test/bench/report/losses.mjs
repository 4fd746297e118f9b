// Where the guard costs more than what one would compare it with. Each entry comes from the numbers, and an entry that a
// run does not support is left out.
import { HOSTS, times } from './cells.mjs';
import { CHAINS, digits } from './tables.mjs';

export function losses(run, soak) {
  return [...besideBare(run), ...besideLibraries(run), ...unseen(run), ...fewConnections(run), ...underLoad(soak)];
}

function besideBare(run) {
  const factors = HOSTS.map((host) => ({ host, factor: 1 / run.share(host, 16, 'main') }));
  const [most] = factors.toSorted((one, other) => other.factor - one.factor);
  const express = factors.find(({ host }) => host === 'express');
  return [
    `**Beside no guard.** A guarded request takes ${digits(express.factor)} times the main-thread CPU of a bare one on Express, ` +
      `and ${digits(most.factor)} times on ${most.host}: the cheaper the host, the more the guard weighs.`,
    `**No guard can be free.** One Ed25519 verification alone takes ${digits(run.rawVerify)} µs of CPU. ` +
      `The check takes ${digits(run.verifications('node:http', 16))} of them on node:http.`,
  ];
}

function besideLibraries(run) {
  return run.sizes.flatMap((size) => {
    const value = times(run.peers(size, true), run.ours(size, 'group'));
    if (value === undefined || value >= 2) return [];
    const how =
      value < 1 ? `takes only ${digits(value)} times our CPU: it is cheaper` : `takes ${digits(value)} times our CPU`;
    return [
      `**Beside libraries with preparsed policies.** With ${size.toLocaleString('en-US')} policies, such a stack ${how}. ` +
        'It checks neither the digest of the body nor replays nor the audience, and its log survives no power loss.',
    ];
  });
}

function unseen(run) {
  const added = CHAINS.map(
    (links) => run.micros(run.chain(links, 'cold'), 'total') - run.micros(run.chain(0, 'warm'), 'total'),
  );
  const listed = CHAINS.map(
    (links, at) => `${Math.max(0, added[at])} µs with ${links} ${links === 1 ? 'link' : 'links'}`,
  );
  return [
    `**Tokens that are used once.** A token and links that the guard has not seen add to the CPU of a request: ${listed.join(', ')}. ` +
      'Agents should use a token for as long as it lives.',
  ];
}

function fewConnections(run) {
  const [few, many] = [16, 64].map((connections) => run.micros(run.guarded('express', connections), 'main'));
  if (few <= many) return [];
  return [
    `**Few connections.** With 16 connections a request takes ${few} µs of the main thread, with 64 it takes ${many}: ` +
      'fewer records share one sync of the log. One request alone waits for the disk each time.',
  ];
}

function underLoad(soak) {
  const worst = Math.max(...soak.series.map(({ delayMax }) => delayMax));
  return [
    `**Delays.** In the soak the event loop was late by ${digits(worst)} ms at worst. ` +
      'Reloads, garbage collection and other work of the machine count alike in this number.',
  ];
}
