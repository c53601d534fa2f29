import { expect, test } from "bun:test";
import { matches } from "./endpoint-store.ts";

test.each([
  [null, "order.paid", true],
  [["order.paid"], "order.paid", true],
  [["order.paid"], "order.paid.late", false],
  [["order.paid"], "Order.paid", false],
  [["order.paid", "shipment.*"], "shipment.updated", true],
  [["shipment.*"], "shipment.label.created", true],
  [["shipment.*"], "shipment", false],
  [["shipment.*"], "shipments.updated", false],
  [["shipment.label.*"], "shipment.updated", false],
  [[], "order.paid", false],
])("types %p match '%s': %p", (eventTypes, eventType, does) => {
  expect(matches({ eventTypes, channels: null }, { eventType, channels: [] })).toBe(does);
});

test.each([
  [null, [], true],
  [null, ["shipments"], true],
  [["shipments"], [], false],
  [["shipments"], ["shipments", "shipments.shp_1"], true],
  [["shipments.shp_1"], ["shipments", "shipments.shp_1"], true],
  [["shipments.shp_2"], ["shipments", "shipments.shp_1"], false],
  [["orders", "shipments"], ["shipments"], true],
])("channels %p match %p: %p", (channels, offered, does) => {
  const message = { eventType: "a", channels: offered };
  expect(matches({ eventTypes: null, channels }, message)).toBe(does);
});
