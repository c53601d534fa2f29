/** Which sockets are looked at for what they have buffered, and when. */
import { describe, expect, test } from "bun:test";
import { useWebSocketListener } from "../../test/support/websocket-listener.ts";
import { systemRuntime } from "../system-runtime.ts";
import type { Fanout, GroupAudience, GroupMember } from "../core/fanout.ts";
import { Groups, SWEEP_BYTES, type NativeMember } from "./groups.ts";

class CountingMember implements NativeMember {
  place = -1;
  sweeps = 0;
  readonly fanout: Fanout;
  readonly bufferedBytes = 0;

  constructor(fanout: Fanout) {
    this.fanout = fanout;
  }

  sweep(): void {
    this.sweeps += 1;
  }
  join(): void {}
  leave(): void {}
  push(): void {}
  hold(): void {}
  release(): void {}
  publishToOthers(): void {}
  deliver(): void {}
  shutdown(): void {}
}

const audienceOf = (...members: readonly GroupMember[]): GroupAudience => ({
  size: members.length,
  members: () => members,
});

describe("a sweep", () => {
  const SOCKETS = 1_000;

  function createGroups() {
    const groups = new Groups(systemRuntime);
    const sockets = Array.from({ length: SOCKETS }, () => new CountingMember(groups));
    for (const socket of sockets) groups.add(socket);
    const publish = (bytes: number, audience?: GroupAudience) => {
      groups.publish("g", "x".repeat(bytes), undefined, audience);
      groups.flush();
    };
    /** By their places. */
    const swept = () => sockets.flatMap(({ sweeps }, place) => Array<number>(sweeps).fill(place));
    return { sockets, publish, swept };
  }

  test("comes with the last byte of its measure, and looks at those alone that were published to", () => {
    const { sockets, publish, swept } = createGroups();
    const [one, two, three] = sockets;
    if (one === undefined || two === undefined || three === undefined) throw new Error("Too few");
    publish(SWEEP_BYTES / 2, audienceOf(one, two));
    publish(SWEEP_BYTES / 2 - 1, audienceOf(three));
    expect(swept()).toEqual([]);
    publish(1, audienceOf());
    expect(swept()).toEqual([0, 1, 2]);
    publish(SWEEP_BYTES, audienceOf(two));
    expect(swept()).toEqual([0, 1, 1, 2]);
  });

  test("looks once at a group that was published to often", () => {
    const { sockets, publish, swept } = createGroups();
    const audience = audienceOf(...sockets.slice(0, 5));
    for (let part = 0; part < 64; part++) publish(SWEEP_BYTES / 64, audience);
    expect(swept()).toEqual([0, 1, 2, 3, 4]);
  });

  test("sees who is in the group by then", () => {
    const { sockets, publish, swept } = createGroups();
    const members = sockets.slice(0, 1);
    const audience = { size: 2, members: () => members };
    publish(SWEEP_BYTES - 1, audience);
    members.push(...sockets.slice(7, 8));
    publish(1, audience);
    expect(swept()).toEqual([0, 7]);
  });

  test("leaves the sockets of another listener to it", () => {
    const { sockets, publish, swept } = createGroups();
    const foreign = new CountingMember(new Groups(systemRuntime));
    publish(SWEEP_BYTES, audienceOf(foreign, ...sockets.slice(0, 1)));
    expect([foreign.sweeps, swept()]).toEqual([0, [0]]);
  });

  test("looks at all, each once, where it is not known whom frames went to, or where they were as many", () => {
    const all = Array.from({ length: SOCKETS }, (_, place) => place);
    const unknown = createGroups();
    unknown.publish(SWEEP_BYTES - 1);
    unknown.publish(1, audienceOf());
    expect(unknown.swept()).toEqual(all);
    const many = createGroups();
    for (const half of [0, SOCKETS / 2]) {
      many.publish(SWEEP_BYTES / 2, audienceOf(...many.sockets.slice(half, half + SOCKETS / 2)));
    }
    expect(many.swept()).toEqual(all);
  });
});

describe("a socket that leaves a group", () => {
  const { listen, connect } = useWebSocketListener();

  test("is looked at, since the next sweep will not find it there", async () => {
    const { listener, url, sessions } = listen({ backpressureLimitBytes: 64 * 1024 * 1024 });
    const reader = await connect(url);
    const member = sessions[0]?.member;
    member?.join("g");
    reader.pause();
    // The kernel takes about 4 MB.
    for (let part = 0; part < 12; part++) {
      listener.fanout.publish("g", "x".repeat(1024 * 1024), undefined, audienceOf());
    }
    expect(listener.stats().lagging).toBe(0);
    member?.leave("g");
    expect(listener.stats().lagging).toBe(1);
  });
});
