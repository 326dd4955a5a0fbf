"""What was deleted lies in the region's trash: what may go there, when it is purged, and what holds that up."""
