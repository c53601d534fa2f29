/** The client library as its text: `import(…, { with: { type: "text" } })`. */
declare module "sockjs-client/dist/sockjs.min.js" {
  const text: string;
  export default text;
}
