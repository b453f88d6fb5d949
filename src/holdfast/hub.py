"""Is a name one of the Hugging Face hub's, and does the hub have it?"""

from __future__ import annotations

from holdfast.errors import UserError

SECONDS = 5.0  # to find out whether the hub has a model of that name
ADVICE = "give a folder that holds a config.json, or a hub name such as Qwen/Qwen2.5-0.5B-Instruct"


def like_a_path(name: str) -> bool:
    """Whether a name cannot be a hub's, which are all of the form owner/model."""
    return name.startswith(("/", ".", "~")) or name.endswith("/") or name.count("/") != 1


def find(name: str) -> None:
    """Asks the hub once: loading would try for most of a minute, file by file.

    Raises:
        UserError: the hub has no such model, or cannot be reached and none is kept here.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError

    try:
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            return
        get_hf_file_metadata(hf_hub_url(name, "config.json"), timeout=SECONDS)
        return
    except EntryNotFoundError:
        return  # an adapter has no config.json
    except GatedRepoError:
        why = "you have not been given access to it"
    except RepositoryNotFoundError:
        why = "the hub has no public model of that name"
    except Exception as error:  # the library's HTTP client has errors of its own
        why = f"the hub did not answer: {type(error).__name__}"
    raise UserError(f"{name} is no folder, and cannot be fetched ({why}): {ADVICE}.")
