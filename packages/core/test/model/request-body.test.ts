import { describe, expect, it } from 'vitest';
import { SharedRoom } from '../../src/model/request-body.js';

/** Takes one by one until there is no room, and returns how many it got. */
function takeAll(room: SharedRoom, sender: string): number {
  const share = room.shareOf(sender);
  let taken = 0;
  while (share.take(1)) taken += 1;
  return taken;
}

describe('the room that held bodies share', () => {
  it('leaves room for one more sender, however many take all they can [G4]', () => {
    const room = new SharedRoom(1000);
    expect(takeAll(room, 'a')).toBe(500);
    expect(takeAll(room, 'b')).toBe(250);
    expect(takeAll(room, 'c')).toBe(125);
    for (let others = 0; others < 4; others++) takeAll(room, `other ${others}`);
    expect(room.shareOf('new').take(1)).toBe(true);
    expect(takeAll(room, 'a')).toBe(0);
  });

  it('tells how much is taken', () => {
    const room = new SharedRoom(1000);
    const shares = [room.shareOf('a'), room.shareOf('b')];
    expect(shares.map((share) => share.take(200))).toEqual([true, true]);
    expect(room.taken).toBe(400);
    shares[0]?.give(200);
    expect(room.taken).toBe(200);
  });

  it('counts all shares of one sender together [G4]', () => {
    const room = new SharedRoom(1000);
    const shares = Array.from({ length: 3 }, () => room.shareOf('a'));
    expect(shares.map((share) => share.take(200))).toEqual([true, true, false]);
    shares[0]?.give(200);
    expect(shares[2]?.take(300)).toBe(true);
  });

  it('is whole again when everything was given back', () => {
    const room = new SharedRoom(1000);
    const [a, b] = [room.shareOf('a'), room.shareOf('b')];
    expect([a.take(500), b.take(250), a.take(1)]).toEqual([true, true, false]);
    a.give(500);
    b.give(250);
    expect(room.shareOf('c').take(500)).toBe(true);
  });
});
