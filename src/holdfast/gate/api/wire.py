"""What goes over the wire: OpenAI's objects, and ours under /holdfast/v1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Item = TypeVar("Item")
Auto = Literal["auto"]
MetaKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetaValue = Annotated[str, StringConstraints(max_length=512)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]


class Asked(BaseModel):
    """A request's body. Fields that are not known are refused: a typo must not be ignored."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """OpenAI's error object."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """An answer that is an error."""

    error: Problem


class FileObject(BaseModel):
    """An uploaded file."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"
    status_details: None = None


class Deleted(BaseModel):
    """Something that is no longer there."""

    id: str
    object: str
    deleted: bool = True


class Page(BaseModel, Generic[Item]):
    """A page of a list; `after` the last id comes the next one."""

    object: Literal["list"] = "list"
    data: list[Item]
    has_more: bool = False
    first_id: str | None = None
    last_id: str | None = None


class Listed(Protocol):
    """What stands in a list: it can be named."""

    id: str


Named = TypeVar("Named", bound=Listed)


def page_of(found: Sequence[Named], limit: int) -> Page[Named]:
    """A page of things, of which one more was asked for than fit."""
    shown = list(found[:limit])
    return Page(
        data=shown,
        has_more=len(found) > limit,
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
    )


class Hyperparameters(Asked):
    """How to tune; "auto" leaves it to the service."""

    batch_size: Auto | Annotated[int, Field(ge=1, le=256)] = "auto"
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = (
        "auto"
    )
    n_epochs: Auto | Annotated[int, Field(ge=1, le=50)] = "auto"


class Supervised(Asked):
    """Settings of supervised tuning."""

    hyperparameters: Hyperparameters = Hyperparameters()


class Method(Asked):
    """Which way of tuning; supervised is the only one."""

    type: Literal["supervised"]
    supervised: Supervised | None = None


class NewJob(Asked):
    """The body of a new job."""

    model: str = Field(min_length=1, max_length=200)
    training_file: str = Field(min_length=1, max_length=200)
    validation_file: str | None = Field(None, max_length=200)
    hyperparameters: Hyperparameters | None = None
    method: Method | None = None
    suffix: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] | (
        None
    ) = None
    seed: int | None = Field(None, ge=0, le=2_147_483_647)
    metadata: Annotated[dict[MetaKey, MetaValue], Field(max_length=16)] | None = None

    @property
    def chosen(self) -> Hyperparameters:
        """The hyperparameters, wherever they stand."""
        if self.method is not None and self.method.supervised is not None:
            return self.method.supervised.hyperparameters
        return self.hyperparameters or Hyperparameters()


class JobError(BaseModel):
    """Why a job failed."""

    code: str
    message: str
    param: str | None


class JobObject(BaseModel):
    """A fine-tuning job."""

    id: str
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    created_at: int
    error: JobError | None
    fine_tuned_model: str | None
    finished_at: int | None
    hyperparameters: Hyperparameters
    method: Method
    model: str
    organization_id: str
    result_files: list[str]
    status: Literal[
        "validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"
    ]
    trained_tokens: int | None
    training_file: str
    validation_file: str | None
    seed: int
    estimated_finish: int | None = None
    integrations: list[Any] = []
    metadata: dict[str, str]


class EventObject(BaseModel):
    """A line of a job's story."""

    id: str
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    created_at: int
    level: Literal["info", "warn", "error"]
    message: str
    type: Literal["message", "metrics"]
    data: dict[str, Any]


class CheckpointObject(BaseModel):
    """The end of a tune. Models on the way there are not audited, so they are not for use."""

    id: str
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: int
    fine_tuned_model_checkpoint: str
    fine_tuning_job_id: str
    step_number: int
    metrics: dict[str, float]


class ModelObject(BaseModel):
    """A model that may be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class Turn(BaseModel):
    """A turn of a conversation that is put to a model."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str = Field(max_length=200_000)
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _joined(cls, value: Any) -> Any:
        """Content may come in parts, of which only texts are known."""
        content = value.get("content") if isinstance(value, Mapping) else None
        if not isinstance(content, list):
            return value
        if not all(isinstance(p, Mapping) and p.get("type") == "text" for p in content):
            raise ValueError("only text can be put to a model")
        return {**value, "content": "".join(str(p.get("text", "")) for p in content)}


class Sampling(BaseModel):
    """How to draw a reply. Other parameters of OpenAI's are taken and have no effect."""

    model: str = Field(min_length=1, max_length=200)
    max_tokens: Annotated[int, Field(ge=1, le=4096)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stream: bool | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None


class NewChat(Sampling):
    """The body of chat/completions."""

    messages: list[Turn] = Field(min_length=1, max_length=1_000)
    max_completion_tokens: Annotated[int, Field(ge=1, le=4096)] | None = None


class NewCompletion(Sampling):
    """The body of completions."""

    prompt: Annotated[str, Field(max_length=200_000)]


class Usage(BaseModel):
    """Tokens of a request and its reply."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatMessage(BaseModel):
    """A reply."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatChoice(BaseModel):
    """The only choice."""

    index: Literal[0] = 0
    message: ChatMessage
    finish_reason: Literal["stop", "length", "content_filter"]
    logprobs: None = None


class Chat(BaseModel):
    """The answer of chat/completions."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage


class TextChoice(BaseModel):
    """The only choice."""

    index: Literal[0] = 0
    text: str
    finish_reason: Literal["stop", "length", "content_filter"]
    logprobs: None = None


class Completion(BaseModel):
    """The answer of completions."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage
