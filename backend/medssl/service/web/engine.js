// Talking to the engine that served this page: the token, one request, and a stream of events.

const KEPT = "medssl-token";

// An address such as /#token=... hands the token over; it leaves the address bar and the history at once.
const handed = /^#token=(.+)$/.exec(location.hash);
if (handed) {
  sessionStorage.setItem(KEPT, decodeURIComponent(handed[1]));
  history.replaceState(null, "", location.pathname + "#jobs");
}

export class EngineError extends Error {
  constructor(status, problem) {
    super(problem.message);
    this.status = status;
    this.remedy = problem.remedy ?? "";
  }
}

export const hasToken = () => Boolean(sessionStorage.getItem(KEPT));
export const keepToken = (token) => sessionStorage.setItem(KEPT, token.trim());
export const dropToken = () => sessionStorage.removeItem(KEPT);

async function send(method, path, body, signal) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEPT) ?? ""}`, "MedSSL-API": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new EngineError(0, { message: "The engine does not answer.", remedy: "It may have ended; start it with 'medssl serve'." });
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({ message: `The engine answered with ${answer.status}.` }));
    throw new EngineError(answer.status, problem);
  }
  return answer;
}

export const ask = async (path, signal) => (await send("GET", path, undefined, signal)).json();
export const tell = async (method, path, body) => (await send(method, path, body)).json();

// A link alone would not carry the token.
export async function download(path) {
  const answer = await send("GET", `/v1/files?path=${encodeURIComponent(path)}`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = path.split(/[\\/]/).at(-1);
  link.click();
  URL.revokeObjectURL(link.href);
}

export const text = async (path) => (await send("GET", path)).text();

// Calls back with every event of a job from the first on, and at last with its state. A lost connection is
// made again; `signal` ends it.
export async function watch(path, signal, onEvents, onEnd) {
  let last = 0;
  while (!signal.aborted) {
    try {
      const answer = await send("GET", `${path}?after=${last}`, undefined, signal);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        const events = [];
        for (const part of parts) {
          const fields = Object.fromEntries(part.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2)));
          if (fields.event === "end") {
            onEvents(events);
            onEnd(fields.data);
            return;
          }
          if (fields.data) {
            last = Number(fields.id);
            events.push(JSON.parse(fields.data));
          }
        }
        onEvents(events);
      }
    } catch (error) {
      if (signal.aborted || (error.status >= 400 && error.status < 500)) return;
    }
    await new Promise((resume) => setTimeout(resume, 1500));
  }
}
