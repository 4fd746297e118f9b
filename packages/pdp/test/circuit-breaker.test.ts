import { describe, expect, it } from 'vitest';
import { CircuitBreaker } from '../src/circuit-breaker.js';
import { PdpUnavailableError } from '../src/unavailable.js';

function breaker() {
  let now = 0;
  let tried = 0;
  const circuit = new CircuitBreaker({ failures: 3, openMilliseconds: 1000, clock: () => now });
  const tries = (call: () => Promise<unknown>) =>
    circuit.run(() => {
      tried += 1;
      return call();
    });
  return {
    fails: () => expect(tries(() => Promise.reject(new Error('down')))).rejects.toThrow('down'),
    works: () => expect(tries(() => Promise.resolve('up'))).resolves.toBe('up'),
    isOpen: () => expect(tries(() => Promise.resolve('up'))).rejects.toBeInstanceOf(PdpUnavailableError),
    during: tries,
    wait: (milliseconds: number) => void (now += milliseconds),
    get tried() {
      return tried;
    },
  };
}

describe('a circuit breaker', () => {
  it('opens after so many failures in a row, and tries nothing then', async () => {
    const circuit = breaker();
    for (let failure = 0; failure < 3; failure++) await circuit.fails();
    await circuit.isOpen();
    await circuit.isOpen();
    expect(circuit.tried).toBe(3);
  });

  it('counts only failures in a row', async () => {
    const circuit = breaker();
    for (let round = 0; round < 3; round++) {
      await circuit.fails();
      await circuit.fails();
      await circuit.works();
    }
    expect(circuit.tried).toBe(9);
  });

  it('closes when the probe works', async () => {
    const circuit = breaker();
    for (let failure = 0; failure < 3; failure++) await circuit.fails();
    circuit.wait(999);
    await circuit.isOpen();
    circuit.wait(1);
    await circuit.works();
    await circuit.fails();
    await circuit.works();
  });

  it('stays open for as long again when the probe fails', async () => {
    const circuit = breaker();
    for (let failure = 0; failure < 3; failure++) await circuit.fails();
    circuit.wait(1000);
    await circuit.fails();
    await circuit.isOpen();
    circuit.wait(1000);
    await circuit.works();
  });

  it('lets through one probe at a time', async () => {
    const circuit = breaker();
    for (let failure = 0; failure < 3; failure++) await circuit.fails();
    circuit.wait(1000);
    let finish: (answer: string) => void = String;
    const probe = circuit.during(() => new Promise<string>((resolve) => (finish = resolve)));
    await circuit.isOpen();
    await circuit.isOpen();
    expect(circuit.tried).toBe(4);
    finish('up');
    await expect(probe).resolves.toBe('up');
    await circuit.works();
  });
});
