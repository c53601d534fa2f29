/** WebRTC peers against another implementation, over real sockets: what every transport promises. */
import { testTransport } from "../../../test/conformance/transport/index.ts";
import { createWebrtcTransport } from "../../../test/support/webrtc-transport.ts";

testTransport("webrtc", createWebrtcTransport, { binary: true, clientCodes: false });
