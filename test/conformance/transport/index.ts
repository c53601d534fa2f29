/** What every transport promises to sessions and groups (`Socket`, `Session`, `GroupMember`, `Fanout`), one file here per promise. */
import { describe } from "bun:test";
import { testBugs } from "./bugs.ts";
import { testClose } from "./close.ts";
import { testExceptMember } from "./except-member.ts";
import { testHold } from "./hold.ts";
import { testOrder } from "./order.ts";
import { testReceive } from "./receive.ts";
import { testSlowReaders } from "./slow-readers.ts";
import { type TransportTraits, type TransportUnderTest, useTransport } from "./under-test.ts";

export function testTransport(
  name: string,
  create: () => Promise<TransportUnderTest>,
  traits: TransportTraits,
): void {
  describe(`transport ${name}`, () => {
    const suite = useTransport(create);
    testOrder(suite, traits);
    testExceptMember(suite);
    testHold(suite);
    testReceive(suite, traits);
    testBugs(suite);
    testClose(suite, traits);
    testSlowReaders(suite, traits);
  });
}
