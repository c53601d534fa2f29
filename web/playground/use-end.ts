import { useLayoutEffect, useRef } from "preact/hooks";

/** Pixels from its end within which somebody who looks at a list wants to see what comes. */
const NEAR = 60;

/** Keeps a list at its end while `items` come, unless it was scrolled away from there. */
export function useEnd<Element extends HTMLElement>(items: unknown) {
  const list = useRef<Element>(null);
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    const { current } = list;
    if (current !== null && atEnd.current) current.scrollTop = current.scrollHeight;
    const look = () => {
      if (current === null) return;
      atEnd.current = current.scrollHeight - current.scrollTop - current.clientHeight < NEAR;
    };
    current?.addEventListener("scroll", look);
    return () => current?.removeEventListener("scroll", look);
  }, [items]);
  return list;
}
