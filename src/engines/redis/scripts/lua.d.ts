/** A script as its text: `import text from "….lua" with { type: "text" }`. */
declare module "*.lua" {
  const text: string;
  export = text;
}
