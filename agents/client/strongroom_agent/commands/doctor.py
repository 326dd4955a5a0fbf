from strongroom_agent.core.output import Done
from strongroom_agent.state.home import Home
def run(home: Home, bundle: str | None) -> Done:
    raise NotImplementedError
