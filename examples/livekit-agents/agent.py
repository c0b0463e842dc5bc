"""A LiveKit agent that says back what is written in the room's chat, with june-tts as its voice.

    export LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=secret
    python -m livekit.agents start --dev agent.py

JUNE_BASE_URL says where june-tts listens, where that is not http://127.0.0.1:8000. README.md has the rest.
"""

import asyncio
from typing import Any

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, llm
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from livekit.agents.utils import shortuuid
from livekit.plugins import june

TOKEN_SECONDS = 0.03
"""Between two words, as a language model would write them."""

server = AgentServer(num_idle_processes=1)


@server.rtc_session()
async def entrypoint(context: JobContext) -> None:
    # put your language model in the place of Echo, and give the session your stt and vad
    session = AgentSession[None](llm=Echo(), tts=june.TTS(voice_id="joe"), use_tts_aligned_transcript=True)
    await session.start(agent=Agent(instructions="Say what you are told."), room=context.room)


class Echo(llm.LLM[Any]):
    """A language model that needs no account: its answer is what was said to it last."""

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        return EchoStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class EchoStream(llm.LLMStream):
    async def _run(self) -> None:
        said = [message.text_content or "" for message in self.chat_ctx.messages() if message.role == "user"]
        ident = shortuuid()
        for word in said[-1].split() if said else []:
            delta = llm.ChoiceDelta(role="assistant", content=f"{word} ")
            self._event_ch.send_nowait(llm.ChatChunk(id=ident, delta=delta))
            await asyncio.sleep(TOKEN_SECONDS)
