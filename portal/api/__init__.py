"""The frame of the JSON API: who may call, how refusals look. Rooms with calls import `schemas` and `problems`."""
