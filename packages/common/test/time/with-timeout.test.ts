import { expect, it, vi } from 'vitest';
import { withTimeout } from '../../src/time/with-timeout.js';

const never = new Promise<never>(() => {});

it('gives what the work comes to, and leaves no timer behind', async () => {
  vi.useFakeTimers();
  try {
    expect(await withTimeout(1000, Promise.resolve('done'), () => 'late')).toBe('done');
    await expect(withTimeout(1000, Promise.reject(new Error('broken')), () => 'late')).rejects.toThrow('broken');
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

it('says what is late once it is, by a value or by throwing, and not before', async () => {
  vi.useFakeTimers();
  try {
    const late = vi.fn(() => 'late');
    const answer = withTimeout(1000, never, late);
    const failure = withTimeout(1000, never, () => {
      throw new Error('too late');
    });
    const failed = expect(failure).rejects.toThrow('too late');
    await vi.advanceTimersByTimeAsync(999);
    expect(late).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(await answer).toBe('late');
    await failed;
  } finally {
    vi.useRealTimers();
  }
});
